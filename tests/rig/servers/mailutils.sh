# GNU mailutils imap4d. INBOX is an mbox, its default; other folders are in the user's home.
mkdir -p /var/spool/inboxes /var/spool/user
chown mail:mail /var/spool/inboxes /var/spool/user
cp /conf/{cert,key}.pem /etc/
chmod 600 /etc/key.pem
echo "user:$(openssl passwd -6 "$PASSWORD"):19000:0:99999:7:::" >/etc/shadow
cat >/etc/imap4d.conf <<C
mode daemon;
max-children 50;
foreground yes;
login-disabled no;
tls-mode ondemand;
timeout 1860;
mailbox { mail-spool "/var/spool/inboxes"; mailbox-type "mbox"; folder "/var/spool/user"; }
# A session that crashes (3.15 corrupts its heap now and then) leaves its lock.
locking { type dotlock; pid-check yes; retry-count 20; retry-sleep 1; }
server 127.0.0.1:$IMAP_PORT {
  tls-mode ondemand;
  tls { ssl-certificate-file /etc/cert.pem; ssl-key-file /etc/key.pem; }
}
server 127.0.0.1:$IMAPS_PORT {
  tls-mode connection;
  tls { ssl-certificate-file /etc/cert.pem; ssl-key-file /etc/key.pem; }
}
auth {
  authentication clear;
  authentication generic;
  authentication system;
  authorization clear;
  authorization system;
}
logging { facility mail; syslog no; }
C
exec imap4d --config-file=/etc/imap4d.conf --no-site-config
