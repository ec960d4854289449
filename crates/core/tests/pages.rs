use cgcg_core::{Clock, Cursor, Id, Invalid, Limit, Page, User};
use cgcg_testkit::TestClock;
use serde_json::{Value, from_value, json, to_value};

fn cursor() -> Cursor {
    let now = TestClock::default().now();
    Cursor {
        at: now,
        id: Id::<User>::new(now).uuid(),
    }
}

fn code(error: &serde_json::Error) -> String {
    let text = error.to_string();
    Invalid::unpack(&text)
        .map(|(code, _)| code.to_owned())
        .unwrap_or(text)
}

#[test]
fn a_page_has_1_to_200_items_and_50_where_nobody_asks() {
    assert_eq!(Limit::default().rows(), 50);
    for items in [1, 2, 50, 200] {
        let limit: Limit = from_value(json!(items)).unwrap();
        assert_eq!((limit.rows() as i64, limit.one_more()), (items, items + 1));
    }
    for items in [i64::MIN, -1, 0, 201, 256, 257, 1_000, i64::MAX] {
        assert_eq!(
            Limit::new(items).unwrap_err().code,
            "out_of_range",
            "{items}"
        );
        assert_eq!(
            code(&from_value::<Limit>(json!(items)).unwrap_err()),
            "out_of_range",
            "{items}"
        );
    }
}

#[test]
fn only_a_page_with_one_row_too_many_has_a_next_one() {
    let limit = Limit::new(3).unwrap();
    let table: [(&[i32], &[i32], bool); 5] = [
        (&[], &[], false),
        (&[1], &[1], false),
        (&[1, 2, 3], &[1, 2, 3], false),
        (&[1, 2, 3, 4], &[1, 2, 3], true),
        (&[1, 2, 3, 4, 5], &[1, 2, 3], true),
    ];
    for (rows, items, more) in table {
        let page = Page::of(rows.to_vec(), limit, |row| {
            assert_eq!(
                *row, 3,
                "the next page begins behind the last row that is shown"
            );
            cursor()
        });
        assert_eq!(
            (page.items.as_slice(), page.next_cursor.is_some()),
            (items, more),
            "{rows:?}"
        );
    }
}

#[test]
fn a_last_page_says_null_and_not_nothing() {
    let page = Page::of(vec![1], Limit::default(), |_| cursor()).map(|item| item + 1);
    assert_eq!(
        to_value(page).unwrap(),
        json!({"items": [2], "next_cursor": null})
    );
}

#[test]
fn a_cursor_comes_back_as_it_was_given() {
    let cursor = cursor();
    let text = to_value(cursor).unwrap();
    assert_eq!(from_value::<Cursor>(text.clone()).unwrap(), cursor);
    assert!(
        text.as_str()
            .unwrap()
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    );
}

#[test]
fn what_is_no_cursor_of_ours_is_cursor_invalid() {
    let good = to_value(cursor()).unwrap().as_str().unwrap().to_owned();
    let bad = [
        String::new(),
        "x".to_owned(),
        good[..33].to_owned(),
        format!("{good}A"),
        format!("{good}="),
        format!(" {}", &good[..33]),
        // Another version; letters of plain base64; a text whose 34th byte is inside a letter; spare bits that are set.
        format!("Ag{}", &good[2..]),
        format!("+/{}", &good[2..]),
        format!("{}é", &good[..33]),
        format!("{}_", &good[..33]),
        "é".repeat(17),
        "A".repeat(100_000),
    ];
    for text in bad {
        let refused = text.parse::<Cursor>().expect_err(&text);
        assert_eq!(refused.code, "cursor_invalid");
        assert_eq!(
            code(&from_value::<Cursor>(Value::String(text)).unwrap_err()),
            "cursor_invalid"
        );
    }
}
