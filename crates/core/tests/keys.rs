use cgcg_core::{FeatureKeys, KeyError, MasterKey};

fn master(first: u8) -> MasterKey {
    MasterKey::new(std::array::from_fn(|index| {
        first.wrapping_add(u8::try_from(index).unwrap())
    }))
    .unwrap()
}

#[test]
fn what_was_sealed_opens_with_the_same_key_and_subject_only() {
    let key = master(0).derive("auth").unwrap();
    let sealed = key.seal(b"plain", b"about").unwrap();
    assert_eq!(*key.open(&sealed, b"about").unwrap(), b"plain");
    assert_eq!(*key.open(&key.seal(b"", b"").unwrap(), b"").unwrap(), b"");
    assert_eq!(key.open(&sealed, b"another").unwrap_err(), KeyError::Sealed);
    for other in [
        master(0).derive("webhooks").unwrap(),
        master(1).derive("auth").unwrap(),
        key.derive("auth").unwrap(),
    ] {
        assert_eq!(other.open(&sealed, b"about").unwrap_err(), KeyError::Sealed);
    }
}

#[test]
fn a_changed_or_missing_byte_is_noticed_wherever_it_is() {
    let key = master(0).derive("auth").unwrap();
    let sealed = key.seal(b"plain", b"about").unwrap();
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert_eq!(
            key.open(&changed, b"about").unwrap_err(),
            KeyError::Sealed,
            "byte {at}"
        );
        assert_eq!(
            key.open(&sealed[..at], b"about").unwrap_err(),
            KeyError::Sealed,
            "length {at}"
        );
    }
}

#[test]
fn the_same_text_is_sealed_differently_each_time() {
    let key = master(0).derive("auth").unwrap();
    assert_ne!(
        key.seal(b"plain", b"").unwrap(),
        key.seal(b"plain", b"").unwrap()
    );
}

#[test]
fn a_mac_may_be_cut_to_16_bytes_and_no_further() {
    let keys = FeatureKeys {
        current: master(0).derive("auth").unwrap(),
        previous: None,
    };
    let mac = keys.current.mac(&[b"id", b"secret"]);
    for length in 0..=mac.len() {
        assert_eq!(
            keys.verify_mac(&[b"id", b"secret"], &mac[..length]),
            length >= 16,
            "{length}"
        );
    }
    assert!(!keys.verify_mac(&[b"id", b"Secret"], &mac));
    assert!(!keys.verify_mac(&[b"id", b"secret"], &[&mac[..], &[0]].concat()));
}

#[test]
fn the_previous_key_opens_and_checks_but_never_seals() {
    let (old, new) = (master(0), master(1));
    let before = FeatureKeys {
        current: old.derive("auth").unwrap(),
        previous: None,
    };
    let during = FeatureKeys {
        current: new.derive("auth").unwrap(),
        previous: Some(old.derive("auth").unwrap()),
    };
    let after = FeatureKeys {
        current: new.derive("auth").unwrap(),
        previous: None,
    };
    let (before, during, after) = (
        before.derive("sub").unwrap(),
        during.derive("sub").unwrap(),
        after.derive("sub").unwrap(),
    );

    let sealed = before.current.seal(b"plain", b"about").unwrap();
    let mac = before.current.mac(&[b"id"]);
    assert_eq!(*during.open(&sealed, b"about").unwrap(), b"plain");
    assert!(during.verify_mac(&[b"id"], &mac));
    assert_eq!(
        during.open(&sealed, b"another").unwrap_err(),
        KeyError::Sealed
    );
    assert_eq!(after.open(&sealed, b"about").unwrap_err(), KeyError::Sealed);
    assert!(!after.verify_mac(&[b"id"], &mac));

    let sealed = during.current.seal(b"plain", b"about").unwrap();
    assert!(before.open(&sealed, b"about").is_err());
    assert_eq!(*after.open(&sealed, b"about").unwrap(), b"plain");
}

/// A change of the derivation would lock everybody out of their data.
#[test]
fn keys_are_derived_as_they_were_in_the_first_release() {
    let mac = master(0)
        .derive("auth")
        .unwrap()
        .derive("tokens")
        .unwrap()
        .mac(&[b"message"]);
    let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex,
        "e7e1f6d4da5978e979d2ff6c7a58b1a8a496e7be96ec4369f08404a718d19f24"
    );
    assert_eq!(
        master(0).check_value().unwrap(),
        "9418ab6557f10f9877366e041702a6d7"
    );
}

#[test]
fn a_placeholder_is_no_master_key() {
    assert_eq!(MasterKey::new([0; 32]).unwrap_err(), KeyError::Weak);
    assert_eq!(MasterKey::new([b'x'; 32]).unwrap_err(), KeyError::Weak);
    assert_ne!(
        MasterKey::generate().unwrap().expose(),
        MasterKey::generate().unwrap().expose()
    );
}

#[test]
fn no_key_shows_in_debug() {
    let keys = FeatureKeys {
        current: master(0).derive("auth").unwrap(),
        previous: None,
    };
    let shown = format!("{:?} {:?} {:?}", master(0), keys, keys.current);
    assert_eq!(
        shown,
        "MasterKey([secret]) FeatureKeys([secret]) FeatureKey([secret])"
    );
}
