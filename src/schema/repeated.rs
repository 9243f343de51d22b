//! Finds a repeated text in a list, in constant functions.

use super::text::{holds, same};

/// The index of the first text that stands earlier in the list too.
pub(super) const fn repeated(all: &[&str]) -> Option<usize> {
    if all.len() > 16 {
        return repeated_in_many(all);
    }
    let mut i = 0;
    while i < all.len() {
        if holds(all.split_at(i).0, all[i]) {
            return Some(i);
        }
        i += 1;
    }
    None
}

/// The same by hash. From some hundred texts on, comparing each with each takes longer than the compiler allows a constant.
const fn repeated_in_many(all: &[&str]) -> Option<usize> {
    const SLOTS: usize = 8_192;
    assert!(all.len() <= SLOTS / 2, "more than 4096 in one place");
    let mut slots = [0_u16; SLOTS];
    let mut i = 0;
    while i < all.len() {
        let mut at = hash(all[i]) % SLOTS;
        while slots[at] > 0 {
            if same(all[slots[at] as usize - 1], all[i]) {
                return Some(i);
            }
            at = (at + 1) % SLOTS;
        }
        i += 1;
        slots[at] = i as u16;
    }
    None
}

/// FNV-1a.
const fn hash(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0100_0000_01b3);
        i += 1;
    }
    (hash ^ (hash >> 32)) as usize
}
