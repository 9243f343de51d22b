macro_rules! declare {
    ($($name:ident = $metric:literal;)*) => {
        compozy_monitoring::families! { $(counter $name = $metric;)* }
    };
}
