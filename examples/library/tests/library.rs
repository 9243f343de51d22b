//! The library as such, with the feature and without.

use courier::{Method, Refusal, deliver, deliver_parcel};

#[test]
fn letters_with_an_address_are_delivered() {
    assert_eq!(deliver(Method::Mail, "12 High Street"), Ok(()));
    assert_eq!(deliver(Method::Pigeon, ""), Err(Refusal::NoAddress));
    assert_eq!(deliver_parcel(Method::Pigeon, "12 High Street", 500), Err(Refusal::TooHeavy));
}
