# topic: priority
# as: root
# sshare: options, fields and mistakes; what depends on what was used before is left out.
. "$CT_LIB"
t() { echo "\$ $*"; try sshare "$@"; }
F=Account%-20,User,RawShares,NormShares
for a in -a '' '-A chem,physics' '-u alice' '-u nosuch' '-A nosuch -a' '-u alice -A capped' '-a -m' -U '-U -u alice' '-a -n' '-a -P' '-a -p'; do t $a -o $F; done
t -e; t --helpformat; t -o nosuch; t -o account%0; t -o account%x; t -o ,account; t -o acc; t -o id,cluster,parent; t -M nosuch; t -M ref -A chem -o $F; t -x; t -a -h -o $F; t -a -o user,account -P -n; t -a -P -n -o User,GrpTRESMins; t -n -A chem extra -o account
sshare | head -2; sshare -l | head -2; sshare -m | head -2
