pub use words::{Keys, deep::inner::RAW as USER};
