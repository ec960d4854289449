const first = "email";
const incomplete = "This link is not complete. Open the whole link that the server printed, with all that follows the #.";
const fields = { email: "email", password: "password", display_name: "name" };

function check() {
  if (!field("email").value.trim()) return ["Please fill in your e-mail.", "email"];
  return passwords();
}

async function send() {
  const body = { token, email: field("email").value.trim(), password: field("password").value };
  const name = field("name").value.trim();
  if (name) body.display_name = name;
  const answer = await post("../setup", body);
  if (answer.ok) {
    field("who").textContent = body.email;
    return done();
  }
  const problem = await answer.json().catch(() => ({}));
  const wrong = (problem.errors || [])[0];
  refuse(wrong ? wrong.detail : problem.detail || "The server answered " + answer.status + ".",
    wrong && fields[wrong.loc[wrong.loc.length - 1]]);
}
