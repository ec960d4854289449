const first = "password";
const incomplete = "This link is not complete. Open the whole link of the mail, with all that follows the #.";
const words = {
  one_time_token_invalid: "This link was used already, is too old, or made room for a newer one. Ask for a new mail.",
  password_too_short: "This password is too short: ",
  password_too_long: "This password is too long: ",
  password_too_common: "This password is easy to guess. Please take another one.",
  throttled: "Too many tries. Please wait a moment.",
  overloaded: "The server is busy. Please try again in a moment.",
};

function check() {
  return passwords();
}

function told(failure) {
  const text = words[failure.code];
  if (text && text.endsWith(": ")) return text + failure.detail + ".";
  return text || failure.detail;
}

async function send() {
  const answer = await post("../password/reset", { token, new_password: field("password").value });
  if (answer.ok) return done();
  const problem = await answer.json().catch(() => ({}));
  const wrong = (problem.errors || [])[0];
  refuse(told(wrong || problem) || "The server answered " + answer.status + ".", wrong && "password");
}
