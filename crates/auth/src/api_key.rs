//! The text of an API key: `cgk1_`, 27 letters of chance and 6 letters of checksum, so that scanners of repositories
//! know one when they see it: `cgk1_[0-9A-Za-z]{33}`.

use aws_lc_rs::rand;
use cgcg_core::{KeyError, Secret};

/// Access tokens begin with `eyJ`.
pub(crate) const PREFIX: &str = "cgk1_";
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 160 bits.
const CHANCE: usize = 27;
/// 32 bits.
const CHECKSUM: usize = 6;
/// So many letters of chance are kept to tell keys apart: the other 136 bits are still out of reach.
const HINT: usize = 4;

/// A new key.
pub(crate) fn generate() -> Result<Secret<String>, KeyError> {
    let mut bytes = [0; 20];
    rand::fill(&mut bytes).map_err(|_| KeyError::Chance)?;
    let mut text = format!("{PREFIX}{}", base62(&mut bytes, CHANCE));
    let checksum = checksum(&text);
    text.push_str(&checksum);
    Ok(Secret::new(text))
}

/// Whether it reads like one of ours: a typing error costs no look into the database; who guesses can count it too. CRC-32 of all
/// before it, as in zlib.
pub(crate) fn reads_well(text: &str) -> bool {
    let letters = text.strip_prefix(PREFIX).unwrap_or_default();
    if letters.len() != CHANCE + CHECKSUM
        || !letters.bytes().all(|byte| byte.is_ascii_alphanumeric())
    {
        return false;
    }
    let (body, sum) = text.split_at(PREFIX.len() + CHANCE);
    checksum(body) == sum
}

/// What of a key may be shown later.
pub(crate) fn hint(key: &Secret<String>) -> &str {
    key.expose()
        .get(PREFIX.len()..PREFIX.len() + HINT)
        .unwrap_or_default()
}

fn checksum(text: &str) -> String {
    base62(
        &mut crc32fast::hash(text.as_bytes()).to_be_bytes(),
        CHECKSUM,
    )
}

/// A big-endian number in exactly so many digits; the number is used up.
fn base62(number: &mut [u8], digits: usize) -> String {
    let mut text = vec![ALPHABET[0]; digits];
    for place in text.iter_mut().rev() {
        let mut rest = 0;
        for byte in number.iter_mut() {
            let part = rest * 256 + u32::from(*byte);
            // The quotient of a number below 62 * 256 is below 256.
            *byte = u8::try_from(part / 62).unwrap_or_default();
            rest = part % 62;
        }
        *place = ALPHABET[usize::try_from(rest).unwrap_or_default()];
    }
    text.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k2_the_published_pattern_matches_every_key_made() {
        for _ in 0..500 {
            let key = generate().unwrap();
            let letters = key.expose().strip_prefix("cgk1_").unwrap();
            assert_eq!(letters.len(), 33);
            assert!(letters.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            assert!(reads_well(key.expose()));
            assert_eq!(hint(&key), &letters[..4]);
        }
    }

    #[test]
    fn a_number_has_one_spelling() {
        assert_eq!(base62(&mut [0; 4], 6), "000000");
        assert_eq!(base62(&mut [0, 0, 0, 61], 6), "00000z");
        assert_eq!(base62(&mut [0, 0, 0, 62], 6), "000010");
        assert_eq!(base62(&mut [255; 4], 6), "4gfFC3");
        assert_eq!(base62(&mut [255; 20], 27).len(), 27);
    }

    #[test]
    fn k1_no_changed_letter_passes_the_checksum() {
        let key = generate().unwrap();
        let letters = key.expose().as_bytes();
        for at in 0..letters.len() {
            for other in [b'0', b'a', b'Z', b'_', b'=', 0xc3] {
                let mut changed = letters.to_vec();
                changed[at] = other;
                let passes = std::str::from_utf8(&changed).is_ok_and(reads_well);
                assert_eq!(passes, changed == letters, "letter {at}");
            }
            assert!(!reads_well(&key.expose()[..at]));
        }
        for wrong in [
            "",
            "cgk1_",
            "cgk1_é",
            &format!("{}0", key.expose()),
            &format!(" {}", key.expose()),
        ] {
            assert!(!reads_well(wrong), "{wrong}");
        }
    }
}
