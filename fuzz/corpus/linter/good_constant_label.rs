use metrics::counter;
const NAME: &str = "compozy_jobs_total";
const QUEUE: &str = "queue";
fn f() {
    counter!(NAME, QUEUE => "a").increment(1);
}
