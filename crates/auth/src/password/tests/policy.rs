use super::*;

fn code(policy: &Policy, password: &str, owner: &Owner) -> Option<&'static str> {
    let refused = policy.check(&secret(password), owner).err();
    refused.map(|invalid| invalid.code)
}

const COMMON: Option<&str> = Some("password_too_common");

#[test]
fn a_common_password_is_refused_however_it_is_written() {
    let policy = Policy::new(8, Blocklist::default(), Owner::default());
    for password in [
        "password",
        "PassWord",
        "12345678",
        "1q2w3e4r5t",
        "unbelievable",
        "iloveyou",
        "qwertyuiop",
        "PASSWORD1234",
    ] {
        assert_eq!(
            code(&policy, password, &Owner::default()),
            COMMON,
            "{password}"
        );
    }
    for password in [
        "correct horse battery",
        "Zürich ☕ horse battery",
        "wolf-in-the-tall-grass",
    ] {
        assert_eq!(
            code(&policy, password, &Owner::default()),
            None,
            "{password}"
        );
    }
}

#[test]
fn what_is_too_short_is_told_so_first() {
    let policy = policy();
    assert_eq!(
        code(&policy, "password", &Owner::default()),
        Some("password_too_short")
    );
}

#[test]
fn three_different_characters_are_too_few() {
    let policy = policy();
    for (password, expected) in [
        ("aaaaaaaaaaaa", COMMON),
        ("ababababababab", COMMON),
        ("abcabcabcabcabc", COMMON),
        ("a!cd a!cd a!cd", None),
        ("éééééééééééé", COMMON),
    ] {
        assert_eq!(
            code(&policy, password, &Owner::default()),
            expected,
            "{password}"
        );
    }
}

#[test]
fn a_name_with_up_to_four_letters_added_is_no_password() {
    let host = Owner::of_host(Some("https://intranet.wolkenkratzer.example:8443/base"));
    let policy = Policy::new(8, Blocklist::default(), host);
    let email = "ada.lovelace@example.org".parse().unwrap();
    let ada = Owner::new(&email, Some("countess_ada"), Some("Augusta Ada King"));
    for password in [
        "ada.lovelace",
        "adalovelace!",
        "2024AdaLovelace",
        "ada.lovelace@example.org",
        "ADA.LOVELACE@EXAMPLE.ORG1",
        "countess_ada_1",
        "countessada99",
        "augusta ada king",
        "AugustaAdaKing1815",
        "wolkenkratzer",
        "Wolkenkratzer#123",
        "cgcg2026",
    ] {
        assert_eq!(code(&policy, password, &ada), COMMON, "{password}");
    }
    for password in [
        "ada.lovelace and her engine",
        "wolkenkratzer in the morning",
        "cgcg is not enough",
        "augusta lovelace 1815",
    ] {
        assert_eq!(code(&policy, password, &ada), None, "{password}");
    }
    // Of somebody else it is as good as any.
    assert_eq!(code(&policy, "2024AdaLovelace", &Owner::default()), None);
}

#[test]
fn a_list_of_ones_own_is_refused_too() {
    let folder = cgcg_testkit::folder();
    let path = folder.path().join("list.txt");
    std::fs::write(&path, "our old default\r\n\nZürich am See\n").unwrap();
    let policy = Policy::new(12, Blocklist::read(&path).unwrap(), Owner::default());
    for password in [
        "our old default",
        "Our Old Default",
        "zürich am see",
        "Zu\u{308}rich am See",
    ] {
        assert_eq!(
            code(&policy, password, &Owner::default()),
            COMMON,
            "{password}"
        );
    }
    assert_eq!(code(&policy, "our new default", &Owner::default()), None);
    assert_eq!(
        format!("{:?}", Blocklist::read(&path).unwrap()),
        "Blocklist(100000 + 2)"
    );
    std::fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(Blocklist::read(&path).is_err() && Blocklist::read(folder.path()).is_err());
}
