fn f() {}
const A: &str = "never ends;
