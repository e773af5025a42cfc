// Read messages as base64, one a line; print what postal-mime and mailparser read in each as a
// line of JSON. null: the parser gave up.
import { createInterface } from "node:readline";
import { simpleParser } from "mailparser";
import PostalMime from "postal-mime";

const SECONDS = 30;
// A message in a message is a file for us, so neither is told to show it in the text.
const POSTAL_MIME = { forceRfc822Attachments: true };
const MAILPARSER = {
  keepDeliveryStatus: true,
  skipHtmlToText: true,
  skipImageLinks: true,
  skipTextToHtml: true,
};

const mailboxes = (entries) =>
  (entries ?? []).flatMap((it) => (it.group ? mailboxes(it.group) : [it]));
const lists = (field) => [field ?? []].flat().flatMap((it) => mailboxes(it.value));
const pairs = (entries) => entries.map((it) => [it.name ?? "", it.address ?? ""]);
const time = (date) => {
  const moment = new Date(date ?? NaN);
  return Number.isNaN(moment.getTime()) ? null : moment.getTime() / 1000;
};
const file = (name, type, content) => ({
  name: name ?? "",
  type: type ?? "",
  content: Buffer.from(content).toString("base64"),
});

async function postalMime(data) {
  const mail = await PostalMime.parse(data, POSTAL_MIME);
  return {
    from: pairs(mailboxes(mail.from ? [mail.from] : [])),
    to: pairs(mailboxes(mail.to)),
    cc: pairs(mailboxes(mail.cc)),
    reply_to: pairs(mailboxes(mail.replyTo)),
    subject: mail.subject ?? "",
    message_id: mail.messageId ?? "",
    date: time(mail.date),
    text: mail.text ?? "",
    files: mail.attachments.map((it) => file(it.filename, it.mimeType, it.content)),
  };
}

async function mailparser(data) {
  const start = Date.now();
  const mail = await simpleParser(data, { ...MAILPARSER, keepCidLinks: true });
  // For a date that it cannot read it takes the current time.
  const isNow = mail.date >= start && mail.date <= Date.now();
  return {
    from: pairs(lists(mail.from)),
    to: pairs(lists(mail.to)),
    cc: pairs(lists(mail.cc)),
    reply_to: pairs(lists(mail.replyTo)),
    subject: mail.subject ?? "",
    message_id: mail.messageId ?? "",
    date: isNow ? null : time(mail.date),
    text: mail.text || "",
    files: mail.attachments.map((it) => file(it.filename, it.contentType, it.content)),
  };
}

async function attempt(parse, data) {
  let timer;
  const timeout = new Promise((resolve) => {
    timer = setTimeout(resolve, SECONDS * 1000, null);
  });
  try {
    return await Promise.race([parse(Buffer.from(data)), timeout]);
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const data = Buffer.from(line, "base64");
  const read = {
    "postal-mime": await attempt(postalMime, data),
    mailparser: await attempt(mailparser, data),
  };
  process.stdout.write(`${JSON.stringify(read)}\n`);
}
