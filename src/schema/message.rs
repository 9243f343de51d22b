//! The messages of the compiler, put together in constant functions.

#[track_caller]
pub(super) const fn fail(message: Message) -> ! {
    panic!("{}", message.as_str())
}

/// Longer messages are cut.
const LONGEST: usize = 4_096;

/// A text put together at compile time, where nothing can be formatted.
pub(super) struct Message {
    bytes: [u8; LONGEST],
    len: usize,
}

impl Message {
    pub(super) const fn new(text: &str) -> Self {
        Self { bytes: [0; LONGEST], len: 0 }.and(text)
    }

    /// Adds a text; what does not fit is left out.
    pub(super) const fn and(mut self, text: &str) -> Self {
        let text = text.as_bytes();
        let mut i = 0;
        while i < text.len() && self.len < self.bytes.len() {
            self.bytes[self.len] = text[i];
            self.len += 1;
            i += 1;
        }
        self
    }

    /// Adds a text in quotes, on one line.
    pub(super) const fn quote(self, text: &str) -> Self {
        let mut message = self.and(" `");
        let start = message.len;
        message = message.and(text);
        let mut i = start;
        while i < message.len {
            if message.bytes[i].is_ascii_control() {
                message.bytes[i] = b'?';
            }
            i += 1;
        }
        message.and("`")
    }

    pub(super) const fn and_list(self, all: &[&str]) -> Self {
        let mut message = self;
        let mut i = 0;
        while i < all.len() {
            message = message.and(if i > 0 { ", " } else { "" }).and(all[i]);
            i += 1;
        }
        message
    }

    pub(super) const fn as_str(&self) -> &str {
        let used = self.bytes.split_at(self.len).0;
        match core::str::from_utf8(used) {
            Ok(text) => text,
            // Cut within a character.
            Err(error) => match core::str::from_utf8(used.split_at(error.valid_up_to()).0) {
                Ok(text) => text,
                Err(_) => "",
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_too_long_is_cut_between_characters() {
        let message = Message::new("x").and(&"é".repeat(LONGEST));
        assert_eq!(message.as_str(), format!("x{}", "é".repeat(LONGEST / 2 - 1)));
    }
}
