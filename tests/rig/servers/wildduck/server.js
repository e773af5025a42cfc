// WildDuck's IMAP with the store in memory of its own tests: the user is "testuser".
// usage: node server.js PORT TLS-PORT FOLDER-OF-THE-CERTIFICATE
'use strict';

const fs = require('fs');
const start = require('@zone-eu/wildduck/imap-core/test/test-server.js');

const [port, tlsPort, folder] = process.argv.slice(2);
const options = {
    key: fs.readFileSync(`${folder}/key.pem`),
    cert: fs.readFileSync(`${folder}/cert.pem`),
    logger: false
};

// Each server has a mailbox of its own.
for (const [secure, number] of [[false, port], [true, tlsPort]]) {
    const server = start({ ...options, secure });
    // The store passes the user, too, at different places, which its notifier does not expect.
    const { notifier } = server;
    const addEntries = notifier.addEntries.bind(notifier);
    notifier.addEntries = (...given) => {
        const [entries, callback] = given.slice(-2);
        addEntries(given.find(value => notifier.folders.has(value)), entries, callback);
    };
    // It also names no mailbox that was opened.
    const open = server.onOpen.bind(server);
    server.onOpen = (path, session, callback) =>
        open(path, session, (error, mailbox) =>
            callback(error, mailbox.uidList ? { ...mailbox, _id: path } : mailbox)
        );
    server.listen(Number(number), '127.0.0.1');
}
