//! The library as such, with the feature and without.

use courier::{Method, NoAddress, deliver};

#[test]
fn letters_with_an_address_are_delivered() {
    assert_eq!(deliver(Method::Mail, "12 High Street"), Ok(()));
    assert_eq!(deliver(Method::Pigeon, ""), Err(NoAddress));
}
