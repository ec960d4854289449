const first = "send";
const incomplete = "This link is not complete. Open the whole link of the mail, with all that follows the #.";
const words = {
  one_time_token_invalid: "This link was used already, is too old, or made room for a newer one. Ask for a new mail.",
  throttled: "Too many tries. Please wait a moment.",
};

function check() {}

async function send() {
  const answer = await post("../email/verify", { token });
  if (answer.ok) return done();
  const problem = await answer.json().catch(() => ({}));
  refuse(words[problem.code] || problem.detail || "The server answered " + answer.status + ".");
}
