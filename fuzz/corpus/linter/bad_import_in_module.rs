mod inner {
    use metrics::Label as L;
    pub fn f() -> L {
        L::new("client", "a")
    }
}
