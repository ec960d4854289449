//! Texts of mail, with places for values: `{{link}}`.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::Template;

/// The texts of all mails, built in or from a folder.
pub(crate) struct Templates {
    all: Vec<(Template, Texts)>,
    layout: String,
}

struct Texts {
    subject: String,
    text: String,
    html: String,
}

/// What may stand in a template.
#[derive(Clone, Default)]
pub(crate) struct Values {
    /// What the server calls itself.
    pub(crate) product: String,
    /// Where to go; only in mails that have a link.
    pub(crate) link: String,
    /// How long the link is good, in words.
    pub(crate) life: String,
    /// Whom the mail goes to.
    pub(crate) email: String,
    /// What that person is called, if that is known; else the address. Chosen by whoever registered, so the built-in texts
    /// do without it: a mail to a stranger would carry whatever the sender wants to say.
    pub(crate) name: String,
    /// When the mail was written, UTC.
    pub(crate) time: String,
}

/// A mail with its values in.
pub(crate) struct Rendered {
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

/// Text and HTML of a template, as they are built in.
macro_rules! built_in {
    ($name:literal) => {
        (
            include_str!(concat!("templates/", $name, ".txt")),
            include_str!(concat!("templates/", $name, ".html")),
        )
    };
}

impl Templates {
    /// The built-in texts, and in their place whatever the folder has: `verify.txt`, whose first line is
    /// `Subject: …`, `verify.html`, `layout.html` and so on.
    ///
    /// # Errors
    /// A text that cannot be read, has no subject, or asks for a value that there is none of.
    pub(crate) fn load(folder: Option<&Path>) -> Result<Self, String> {
        let mut all = Vec::new();
        for template in Template::ALL {
            all.push((template, Texts::load(folder, template)?));
        }
        let layout = file(folder, "layout.html")?;
        let layout = layout.unwrap_or_else(|| include_str!("templates/layout.html").to_owned());
        check("layout.html", &layout, &["product", "content"])?;
        Ok(Self { all, layout })
    }

    pub(crate) fn render(&self, template: Template, values: &Values) -> Option<Rendered> {
        let (_, texts) = self.all.iter().find(|(known, _)| *known == template)?;
        let plain = |text: &str| fill(text, |name| Some(one_line(values.get(name)?)));
        let safe = |text: &str| fill(text, |name| Some(escape(&one_line(values.get(name)?))));
        let content = safe(&texts.html);
        let html = fill(&self.layout, |name| match name {
            "content" => Some(content.clone()),
            name => Some(escape(&one_line(values.get(name)?))),
        });
        Some(Rendered {
            subject: plain(&texts.subject),
            text: plain(&texts.text),
            html,
        })
    }
}

impl Texts {
    fn load(folder: Option<&Path>, template: Template) -> Result<Self, String> {
        let (text, html) = built_in(template);
        let (text_name, html_name) = (
            format!("{}.txt", template.as_str()),
            format!("{}.html", template.as_str()),
        );
        let text = file(folder, &text_name)?.unwrap_or_else(|| text.to_owned());
        let html = file(folder, &html_name)?.unwrap_or_else(|| html.to_owned());
        let (first, text) = text.split_once('\n').unwrap_or((&text, ""));
        let subject = first.strip_prefix("Subject: ").map(str::trim);
        let subject = subject.filter(|subject| !subject.is_empty());
        let subject = subject
            .ok_or_else(|| format!("{text_name}: the first line is not \"Subject: …\""))?
            .to_owned();
        let known: &[&str] = match template.has_link() {
            true => &["product", "link", "life", "email", "name", "time"],
            false => &["product", "email", "name", "time"],
        };
        check(&text_name, &subject, known)?;
        check(&text_name, text, known)?;
        check(&html_name, &html, known)?;
        Ok(Self {
            subject,
            text: text.trim_start().to_owned(),
            html,
        })
    }
}

impl Values {
    fn get(&self, name: &str) -> Option<&str> {
        Some(match name {
            "product" => &self.product,
            "link" => &self.link,
            "life" => &self.life,
            "email" => &self.email,
            "name" => &self.name,
            "time" => &self.time,
            _ => return None,
        })
    }
}

const fn built_in(template: Template) -> (&'static str, &'static str) {
    match template {
        Template::Verify => built_in!("verify"),
        Template::Reset => built_in!("reset"),
        Template::SetPassword => built_in!("set_password"),
        Template::AlreadyRegistered => built_in!("already_registered"),
        Template::PasswordChanged => built_in!("password_changed"),
        Template::EmailChanged => built_in!("email_changed"),
        Template::ReuseDetected => built_in!("reuse_detected"),
    }
}

fn file(folder: Option<&Path>, name: &str) -> Result<Option<String>, String> {
    let Some(folder) = folder else {
        return Ok(None);
    };
    if !folder.is_dir() {
        return Err(format!("{}: there is no such folder", folder.display()));
    }
    match fs::read_to_string(folder.join(name)) {
        Ok(text) => Ok(Some(text.replace("\r\n", "\n"))),
        Err(failure) if failure.kind() == ErrorKind::NotFound => Ok(None),
        Err(failure) => Err(format!("{name}: {failure}")),
    }
}

/// Refuses places for values that a mail does not have.
fn check(file: &str, text: &str, known: &[&str]) -> Result<(), String> {
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once("{{") {
        let (name, behind) = behind
            .split_once("}}")
            .ok_or_else(|| format!("{file}: a {{{{ without its }}}}"))?;
        if !known.contains(&name.trim()) {
            let known = known.join(", ");
            return Err(format!("{file}: there is no {name:?} here; known: {known}"));
        }
        rest = behind;
    }
    Ok(())
}

/// What was put in is not looked at again: a value cannot ask for another.
fn fill(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let (mut filled, mut rest) = (String::with_capacity(text.len() * 2), text);
    while let Some((before, behind)) = rest.split_once("{{") {
        let (name, behind) = behind.split_once("}}").unwrap_or((behind, ""));
        filled.push_str(before);
        filled.push_str(&value(name.trim()).unwrap_or_default());
        rest = behind;
    }
    filled + rest
}

/// Text of HTML, inside quotes too.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter => safe.push(letter),
        }
    }
    safe
}

/// A value stays on its line, and turns nobody's direction of writing.
fn one_line(text: &str) -> String {
    let leaves = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().filter(|letter| !leaves(*letter)).collect()
}
