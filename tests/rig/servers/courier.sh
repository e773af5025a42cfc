# Courier IMAP without FAM, as Debian ships it. LIMIT: connections of one address.
# IDLE looks for mail every IDLE_SECONDS, by default 60.
settings=/etc/courier
mail=/var/spool/user
mkdir -p $mail /run/courier/authdaemon /var/lib/courier
maildirmake.courier $mail/Maildir
maildirmake.courier -f Trash $mail/Maildir
chown -R mail:mail $mail /run/courier
sed -i 's/^authmodulelist=.*/authmodulelist="authuserdb"/; s/^daemons=.*/daemons=3/' $settings/authdaemonrc
printf 'user\thome=%s|mail=%s|uid=%s|gid=%s|systempw=%s\n' \
  $mail $mail/Maildir "$(id -u mail)" "$(id -g mail)" "$(openssl passwd -1 "$PASSWORD")" >$settings/userdb
chmod 700 $settings
chmod 600 $settings/userdb
makeuserdb
cat /conf/key.pem /conf/cert.pem >$settings/imapd.pem
chown -R mail $settings
sed -i "s/^MAXPERIP=.*/MAXPERIP=$LIMIT/; s/^IMAP_IDLE_TIMEOUT=.*/IMAP_IDLE_TIMEOUT=$IDLE_SECONDS/" $settings/imapd
authdaemond start
set -a
. $settings/imapd
. $settings/imapd-ssl
IMAP_STARTTLS=YES
set +a
unset TLS_PROTOCOL TLS_STARTTLS_PROTOCOL TLS_DHPARAMS TLS_CACHEFILE TLS_TRUSTCERTS
login=(/usr/lib/courier/courier/imaplogin /usr/bin/imapd Maildir)
listen() { # PORT COMMAND...
  couriertcpd -address=127.0.0.1 -maxprocs=60 -maxperip="$LIMIT" -nodnslookup -noidentlookup "$@" </dev/null
}
listen "$IMAPS_PORT" /usr/bin/couriertls -server -tcpd "${login[@]}" &
listen "$IMAP_PORT" "${login[@]}"
