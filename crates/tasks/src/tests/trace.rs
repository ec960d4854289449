use crate::TraceParent;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

#[test]
fn a_traceparent_is_what_the_grammar_says() {
    let parsed = |text: &str| text.parse::<TraceParent>().ok().map(|it| it.to_string());
    let known = format!("00-{TRACE}-{PARENT}-01");
    assert_eq!(parsed(&known).as_deref(), Some(known.as_str()));
    let later = format!("cc-{TRACE}-{PARENT}-ff");
    assert_eq!(parsed(&later), Some(known.clone()), "what 00 knows of it");
    assert_eq!(parsed(&format!("{later}-what-comes")), Some(known.clone()));
    for wrong in [
        "",
        "00",
        &known[..54],
        &format!("{known}-more"),
        &format!("{later}."),
        &format!("ff-{TRACE}-{PARENT}-01"),
        &format!("0x-{TRACE}-{PARENT}-01"),
        &format!("00-{}-{PARENT}-01", TRACE.to_uppercase()),
        &format!("00-{}-{PARENT}-01", "0".repeat(32)),
        &format!("00-{TRACE}-{}-01", "0".repeat(16)),
        &format!("00-{TRACE}-{PARENT}-0g"),
        &format!("00-{TRACE}{PARENT}--01-"),
        &"é".repeat(40),
    ] {
        assert_eq!(parsed(wrong), None, "{wrong}");
    }
}
