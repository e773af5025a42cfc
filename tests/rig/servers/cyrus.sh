# Cyrus IMAP 3. ALTERNATIVE=yes: folders next to INBOX, and / as separator.
data=/var/spool/cyrus
mkdir -p $data/{conf/{db,log,msg,proc,ptclient,quota,sieve,socket,user,sync},spool,lock,proc}
cp /conf/{cert,key,ca}.pem $data/
export CYRUS_USER=mail
bin=/usr/lib/cyrus/bin
cat >$data/imapd.conf <<C
configdirectory: $data/conf
partition-default: $data/spool
defaultpartition: default
proc_path: $data/proc
mboxname_lockpath: $data/lock
admins: cyrus
cyrus_user: mail
altnamespace: $ALTERNATIVE
unixhierarchysep: $ALTERNATIVE
allowplaintext: yes
allowstarttls: on
virtdomains: off
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: $data/sasldb2
sasl_mech_list: PLAIN
servername: localhost
defaultdomain: localhost
autocreate_users: anyone
autocreate_post: yes
autocreate_quota: 0
autocreate_inbox_folders: Trash
xlist-trash: Trash
tls_server_cert: $data/cert.pem
tls_server_key: $data/key.pem
tls_server_ca_file: $data/ca.pem
idlesocket: $data/conf/socket/idle
lmtpsocket: $data/conf/socket/lmtp
notifysocket: $data/conf/socket/notify
sievedir: $data/conf/sieve
duplicatesuppression: no
conversations: no
C
cat >$data/cyrus.conf <<C
START {
  recover cmd="$bin/ctl_cyrusdb -C $data/imapd.conf -r"
  idled cmd="$bin/idled -C $data/imapd.conf"
}
SERVICES {
  imap cmd="$bin/imapd -C $data/imapd.conf" listen="127.0.0.1:$IMAP_PORT" prefork=1
  imaps cmd="$bin/imapd -C $data/imapd.conf -s" listen="127.0.0.1:$IMAPS_PORT" prefork=0
  lmtp cmd="$bin/lmtpd -C $data/imapd.conf -a" listen="127.0.0.1:$LMTP_PORT" prefork=0
}
EVENTS { checkpoint cmd="$bin/ctl_cyrusdb -C $data/imapd.conf -c" period=30 }
C
printf %s "$PASSWORD" | saslpasswd2 -p -c -f $data/sasldb2 -u localhost user
chown -R mail:mail $data
exec $bin/master -C $data/imapd.conf -M $data/cyrus.conf -D -p $data/master.pid
