// Print a line of JSON for every new mail: on `exists`, fetch envelope and structure of the
// new mail, then start IDLE immediately. (Without this, ImapFlow waits 15 s before IDLE.)
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

// Mail that arrives during a fetch is fetched by the next one.
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
// The benchmark closes stdin to end this process.
createInterface({ input: process.stdin }).on("close", () => process.exit());
