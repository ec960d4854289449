use super::*;

#[test]
fn j12_json_serialisations_and_blanks_are_refused() {
    let bench = Bench::new();
    let token = bench.mint();
    let [header, claims, signature] = parts(&token);
    let flat = json!({"protected": header, "payload": claims, "signature": signature}).to_string();
    let general =
        json!({"payload": claims, "signatures": [{"protected": header, "signature": signature}]})
            .to_string();
    let shapes = [
        flat,
        general,
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        "a.b.c".to_owned(),
        format!(" {token}"),
        format!("{token} "),
        format!("{token}\n"),
        format!("{token}\0"),
        format!("\u{feff}{token}"),
        format!("{header} .{claims}.{signature}"),
        format!("{header}.{claims}\t.{signature}"),
        format!("Bearer {token}"),
        token.replace('.', "%2e"),
        token.replace('.', ","),
    ];
    for shape in &shapes {
        assert_eq!(bench.verify(shape), Err(Rejected::Malformed), "{shape}");
    }
}

#[test]
fn j12_a_token_has_three_parts_that_are_not_empty() {
    let bench = Bench::new();
    let token = bench.mint();
    let [header, claims, signature] = parts(&token);
    let shapes = [
        header.to_owned(),
        format!("{header}.{claims}"),
        format!("{claims}.{signature}"),
        format!("{token}.{signature}"),
        format!("{token}."),
        format!(".{token}"),
        format!(".{claims}.{signature}"),
        format!("{header}..{signature}"),
        format!("{header}.{claims}."),
        format!("{header}..{claims}.{signature}"),
        format!("{header}....{signature}"),
    ];
    for shape in &shapes {
        assert_eq!(bench.verify(shape), Err(Rejected::Malformed), "{shape}");
    }
}

#[test]
fn j12_letters_outside_base64url_and_padding_are_refused() {
    let bench = Bench::new();
    let token = bench.mint();
    for letter in [
        '=', '+', '/', ' ', '\n', '~', '$', '%', 'ä', '\u{2024}', '\u{ff21}',
    ] {
        for place in [0, 1, token.find('.').unwrap(), token.len() - 1, token.len()] {
            let (before, after) = token.split_at(place);
            assert_eq!(
                bench.verify(&format!("{before}{letter}{after}")),
                Err(Rejected::Malformed),
                "{letter:?} at {place}"
            );
        }
    }
    for padding in ["=", "=="] {
        let [header, claims, signature] = parts(&token);
        assert_eq!(
            bench.verify(&format!("{header}{padding}.{claims}.{signature}")),
            Err(Rejected::Malformed)
        );
        assert_eq!(
            bench.verify(&format!("{header}.{claims}{padding}.{signature}")),
            Err(Rejected::Malformed)
        );
        assert_eq!(
            bench.verify(&format!("{header}.{claims}.{signature}{padding}")),
            Err(Rejected::Malformed)
        );
    }
}

#[test]
fn j12_the_last_letter_of_a_part_has_one_spelling() {
    let bench = Bench::new();
    let token = bench.mint();
    // 64 bytes are 86 letters: the last one has four spare bits.
    let last = token.chars().last().unwrap();
    let spellings = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let index = spellings.find(last).unwrap();
    for other in (index & !15..=index | 15).filter(|other| *other != index) {
        let spelt = format!("{}{}", &token[..token.len() - 1], &spellings[other..=other]);
        assert_eq!(bench.verify(&spelt), Err(Rejected::Malformed), "{spelt}");
    }
}

#[test]
fn j12_a_token_over_8_kib_is_not_looked_at() {
    let mut bench = Bench::new();
    bench.claims.roles = vec!["r".repeat(5_000)];
    assert!(bench.verify(&bench.mint()).is_ok());
    bench.claims.roles = vec!["r".repeat(7_000)];
    assert_eq!(bench.verify(&bench.mint()), Err(Rejected::Malformed));
}

#[test]
fn other_kinds_of_tokens_are_refused() {
    let bench = Bench::new();
    for other in [
        "cgr1_AAAAAAAA",
        "cgo1_AAAAAAAA",
        "cgk1_0123456789abcdefghijklmnopqrstuvw",
    ] {
        assert_eq!(bench.verify(other), Err(Rejected::Malformed));
    }
}

#[test]
fn no_flipped_bit_goes_unseen() {
    let bench = Bench::new();
    let token = bench.mint();
    assert!(bench.verify(&token).is_ok());
    let flips = (0..token.len()).flat_map(|byte| (0..8).map(move |bit| (byte, bit)));
    for (byte, bit) in flips {
        let mut bytes = token.clone().into_bytes();
        bytes[byte] ^= 1 << bit;
        // A header that is not UTF-8 is no text, and never comes here.
        if let Ok(flipped) = String::from_utf8(bytes) {
            assert!(
                bench.verify(&flipped).is_err(),
                "bit {bit} of byte {byte}: {flipped}"
            );
        }
    }
}

#[test]
fn a_cut_or_longer_signature_is_refused() {
    let bench = Bench::new();
    let token = bench.mint();
    let [header, claims, signature] = parts(&token);
    let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    for length in (0..64).chain([65, 96, 128]) {
        let mut other = bytes.clone();
        other.resize(length, 0);
        let other = format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(other));
        assert!(bench.verify(&other).is_err(), "{length} bytes");
    }
    let zero = URL_SAFE_NO_PAD.encode([0; 64]);
    assert_eq!(
        bench.verify(&format!("{header}.{claims}.{zero}")),
        Err(Rejected::Signature)
    );
}

fn parts(token: &str) -> [&str; 3] {
    token.split('.').collect::<Vec<_>>().try_into().unwrap()
}
