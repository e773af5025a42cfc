// Print a line of JSON for every new mail: on `exists`, fetch envelope and structure of what
// is new, then wait again at once. (By itself ImapFlow waits only 15 s after the last command.)
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { ImapFlow } from "imapflow";

const [host, port, user, pass, ca] = process.argv.slice(2);
const client = new ImapFlow({
  host,
  port: Number(port),
  secure: true,
  auth: { user, pass },
  tls: { ca: readFileSync(ca) },
  logger: false,
});
const say = (word) => process.stdout.write(`${JSON.stringify(word)}\n`);

// Mail that comes during a fetch is fetched by the next one.
let fetched;
let known;
let busy = false;
async function fetchNew() {
  if (busy) return;
  busy = true;
  while (fetched < known) {
    const upTo = known;
    const query = { uid: true, envelope: true, bodyStructure: true };
    for await (const mail of client.fetch(`${fetched + 1}:${upTo}`, query)) {
      say({ uid: mail.uid, subject: mail.envelope.subject });
    }
    fetched = upTo;
  }
  busy = false;
  wait();
}
function wait() {
  client.idle().catch((error) => console.error(error));
}

await client.connect();
const inbox = await client.mailboxOpen("INBOX", { readOnly: true });
fetched = known = inbox.exists;
client.on("exists", ({ count }) => {
  known = count;
  fetchNew();
});
wait();
say("ready");
// Without anybody at the other end there is nothing to do.
createInterface({ input: process.stdin }).on("close", () => process.exit());
