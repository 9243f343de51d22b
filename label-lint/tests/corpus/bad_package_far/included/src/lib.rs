pub mod a {
    include!("calls.in");
}
