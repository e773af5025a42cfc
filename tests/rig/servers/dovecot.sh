# Dovecot 2.4.
mkdir -p /var/spool/dovecot /run/dovecot
chown mail:mail /var/spool/dovecot
cat >/etc/dovecot.conf <<C
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
base_dir = /run/dovecot
state_dir = /run/dovecot
log_path = /dev/stderr
protocols = imap lmtp
listen = 127.0.0.1
ssl_server_cert_file = /conf/cert.pem
ssl_server_key_file = /conf/key.pem
auth_allow_cleartext = yes
mail_driver = maildir
mail_home = /var/spool/dovecot/%{user}
mail_path = ~/mail
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
first_valid_gid = 1
mailbox_list_index = yes
mail_max_userip_connections = 50
lda_mailbox_autocreate = yes
passdb static {
  password = $PASSWORD
}
userdb static {
}
namespace inbox {
  inbox = yes
  separator = /
  mailbox Trash {
    auto = create
    special_use = \Trash
  }
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service imap-login {
  inet_listener imap {
    port = $IMAP_PORT
  }
  inet_listener imaps {
    port = $IMAPS_PORT
    ssl = yes
  }
}
service lmtp {
  inet_listener lmtp {
    port = $LMTP_PORT
  }
}
C
if [[ $(id -u) != 0 ]]; then
  cat >>/etc/dovecot.conf <<C
default_internal_user = mail
default_internal_group = mail
default_login_user = mail
service imap-login {
  chroot =
}
service anvil {
  chroot =
}
service stats {
  chroot =
}
C
fi
exec dovecot -F -c /etc/dovecot.conf
