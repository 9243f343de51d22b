struct Vec;
struct Opts;
fn f(v: &mut List, headers: &mut Headers) {
    v.push(("user_id", "1"));
    headers.push(("user_id", "1").into());
    let key: Key = ("user_id", 3).into();
    total.add(1, &[("user_id", 1)]);
    builder.const_label("user_id", 1);
}
