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
let number = 0;

// The store is older than the server: give mailboxes and changes the IDs that WildDuck's database
// gives them, and notify as its mailbox handler and its notifier do.
function update(server) {
    const { notifier } = server;
    const { folders } = notifier;
    const get = folders.get.bind(folders);
    const set = folders.set.bind(folders);
    const identify = mailbox => Object.assign(mailbox, { _id: mailbox._id || `mailbox ${++number}` });
    folders.forEach(identify);
    folders.get = key => get(key) || [...folders.values()].find(mailbox => mailbox._id === key);
    folders.has = key => Boolean(folders.get(key));
    folders.set = (path, mailbox) => set(path, identify(mailbox));

    const addEntries = notifier.addEntries.bind(notifier);
    notifier.addEntries = (...given) => {
        const [entries, callback] = given.slice(-2);
        for (const entry of [entries].flat()) {
            entry._id = `change ${++number}`;
        }
        addEntries(given.find(value => folders.has(value)), entries, callback);
    };
    const getUpdates = notifier.getUpdates.bind(notifier);
    notifier.getUpdates = (mailbox, since, callback) =>
        folders.has(mailbox) ? getUpdates(mailbox, since, callback) : callback(null, []);
    notifier.fire = (user, payload) =>
        setImmediate(() => notifier._listeners.emit(user, payload && payload.command ? payload : undefined));

    const open = server.onOpen.bind(server);
    server.onOpen = (path, session, callback) =>
        open(path, session, (error, mailbox) =>
            callback(error, mailbox.uidList ? { ...mailbox, _id: folders.get(path)._id } : mailbox)
        );
    const remove = server.onDelete.bind(server);
    server.onDelete = (path, session, callback) => {
        const { _id } = folders.get(path) || {};
        remove(path, session, (error, result) => {
            notifier.fire(session.user.id, { command: 'DROP', mailbox: _id });
            callback(error, result);
        });
    };
}

// Each server has mailboxes of its own.
for (const [secure, at] of [[false, port], [true, tlsPort]]) {
    const server = start({ ...options, secure });
    update(server);
    server.listen(Number(at), '127.0.0.1');
}
