use shared::bump;

fn main() {
    bump!("requests_total", "shard" => "a").increment(1);
    shared::bump!("requests_total", shared::CLIENT => "a").increment(1);
}
