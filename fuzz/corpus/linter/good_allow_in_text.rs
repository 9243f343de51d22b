/// Write `// label-lint: allow(client) reason` where it is right.
const HELP: &str = "
// label-lint: allow(client) this is text
";
