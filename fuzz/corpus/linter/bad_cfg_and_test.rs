#[cfg(test)]
mod tests {
    #[test]
    fn t() {
        metrics::counter!("requests_total", "client" => "a").increment(1);
    }
}
