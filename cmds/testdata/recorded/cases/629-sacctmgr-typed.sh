# topic: sacctmgr
# as: root
# limit: 40
# Answers to what sacctmgr asks, and commands that it reads.
. "$CT_LIB"
cleanup() { sacctmgr -i delete user daemon; sacctmgr -i delete account ta,tb; sacctmgr -i delete qos tq; }
i() { echo "\$ $(printf '%s' "$1" | paste -sd'~') | sacctmgr ${*:2}"; printf '%b' "$1" | try sacctmgr "${@:2}"; }
i 'y\n' add account ta; i 'n\n' add account tb; i 'Y\n' modify account ta set fairshare=4; i 'n\n' modify account ta set fairshare=5; i 'n\n' delete account tb; i 'y\n' add qos tq; i 'n\n' modify qos tq set priority=3; i 'y\n' modify qos tq set priority=3; i 'n\n' delete qos tq; i 'y\n' add user daemon account=ta; i 'n\n' modify user daemon set maxjobs=3; i 'n\n' delete user daemon; i 'y\n' add coordinator daemon account=ta; i 'n\n' delete coordinator daemon account=ta; i 'y\n' list user daemon account=ta; i 'n\n' list user daemon account=ta
i 'list account ta\nquit\n'; i 'list account ta format=account\n!!\nexit\n'; i 'nosuch\nlist nosuch\n\n\nexit\n'; i ' list  account   ta format=account\nexit\n'; i 'list account ta\nexit\n' -n -P; i 'show account where name=ta format=acc%5\nexit\n' -n; try sacctmgr exit; try sacctmgr quiet
