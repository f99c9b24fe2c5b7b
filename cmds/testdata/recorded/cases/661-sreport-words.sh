# topic: sreport
# as: root
# limit: 40
# sreport: names of reports, conditions, columns, commands that it reads.
. "$CT_LIB"
D="start=2020-01-01 end=2020-01-03"
h() { echo "\$ $*"; sreport "$@" >$CT_STATE/o 2>&1; rc=$?; sed -E 's/\([0-9]* secs*\)/(N secs)/' $CT_STATE/o | head -12; echo rc=$rc; }
h cluster; h nosuch; h job; h user; h reservation; h -T nosuch cluster utilization; h --nosuch; h c utilization
for r in 'cluster Utilization' 'cluster UserUtilizationByWckey' 'cluster WCKeyUtilizationByUser' 'job SizesByAccountAndWckey' 'job SizesByWckey' 'reservation Utilization' 'cluster acc' 'cluster w' 'cl ut' 'job sizesbyw' 'u t' 're u' 'resv u'; do h $r $D; done
for o in -l '-M ref' --local -v -Q '-t minper' '-t Seconds' '-t percent' '-t h' '-t min'; do h -n $o cluster AccountUtilizationByUser $D; done
for o in all_clusters clusters=ref tree 'users=alice' 'accounts=chem' 'format=account' 'format=Account%-20,Login%5,Used,Proper,Energy,Cluster' 'where tree' 'set tree' 'ref'; do h cluster UserUtilizationByAccount $D $o; done
h cluster Utilization $D format=Down,Idle,PlannedDown,Reported,TresCount,TresName,Energy
h user TopUsage $D topcount=1; h user TopUsage $D group; h user TopUsage $D 'format=Used,Energy,Proper,Login,Account,Cluster'
for o in grouping=10,20,50 'PrintJobCount grouping=4' flatview 'nodes=n1' 'partitions=debug' 'gid=3001' 'accounts=chem,physics' 'format=account,cluster' 'printjobcount format=account' 'wckeys=x'; do h -n job SizesByAccount $D $o; h job SizesByAccount $D $o; done
for o in flags=maint format=name 'nodes=n1' id=3; do h reservation Utilization $D $o; done
for d in 'start=1/1/20 end=2/1/20' 'start=010120 end=010220' 'start=2020-01-01T10:30:00 end=2020-01-01T12:10:00' 'start=2020-01-01 end=2020-01-01' 'Start=2020-01-01 End=2020-01-02' 's=2020-01-01 e=2020-01-02'; do h cluster Utilization $d; done
i() { echo "\$ $1"; printf '%b' "$1" | try sreport "${@:2}" | sed -E 's/\([0-9]* secs*\)/(N secs)/'; }
i 'cluster util start=2020-01-01 end=2020-01-02\n!!\nquit\n'; i 'nosuch\nexit\n'; i 'parsable\nuser top start=2020-01-01 end=2020-01-02\nnonparsable\nverbose\nquiet\ntime hours\nexit\n'; i 'sort\ntime\ncluster\nexit\n' -P -n
