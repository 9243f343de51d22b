fn f() {
    my::counter!("a", "user_id" => 1);
    my::record!("a", "user_id" => 1);
    my::map!("a" => 1, "user_id" => 2);
    shared::log!("text", key = 1);
}
