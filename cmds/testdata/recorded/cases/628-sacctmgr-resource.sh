# topic: sacctmgr
# as: root
# limit: 60
# Resources: licences outside the cluster, what it may use of them, and jobs that do.
. "$CT_LIB"
cleanup() { for n in fluent ans a bb y; do sacctmgr -i delete resource name=$n; done; }
m() { try sacctmgr -i "$@"; }
m add resource name=fluent count=50 server=flex servertype=flexlm type=license
m add resource name=ans count=11 server=flex type=license cluster=ref percentallowed=50
m show resource
m show resource withclusters
m add resource name=fluent server=flex cluster=ref percentallowed=50 type=license
m show resource withclusters
m add resource name=fluent server=flex cluster=ref percentallowed=60 type=license
m add resource name=fluent server=flex cluster=nosuch percentallowed=60 type=license
m add resource name=a type=license
m add resource name=a type=license count=3
m add resource name=a,bb type=license count=3 server=d
m add resource name=x type=foo count=3 server=d
m add resource name=x type=license count=3 server=d nosuch=4
m add resource name=x server=d count=3
m add resource name=x type=license count=x server=d
m add resource name=y type=license count=3 server=d percentallowed=20
m add resource name=z type=license count=3 server=d percentallowed=120 cluster=ref
m add resource
m show resource format=nosuch
try scontrol show lic
m modify resource where name=fluent server=flex set count=60 desc=hello
m modify resource name=fluent server=flex cluster=ref set percentallowed=20
m modify resource name=fluent cluster=ref set percentallowed=120
m modify resource name=fluent,ans cluster=ref set percentallowed=101
m modify resource name=fluent cluster=ref set percentallowed=31 count=12
m modify resource name=fluent set percentallowed=31
m modify resource name=fluent set flags=nosuch
m modify resource name=fluent set type=license
m modify resource name=nosuch set count=3
m modify resource name=fluent
m modify resource name=fluent set nosuch=3
m modify resource name=fluent set count=x
m modify resource name=fluent cluster=nosuch set percentallowed=31
m show resource name=fluent withclusters
m show resource nosuch
m show resource where server=d
m show resource where servertype=flexlm
m show resource desc=hello
m show resource cluster=nosuch
m -P show resource
m -n show resource
m show resource format=name,descrip,allowed,allocated,count,server,type,cluster,flags
m show resource withclusters format=name,cluster,allowed%5,allo
try scontrol -o show lic ans@flex
m modify resource name=ans set count=4
try as_user alice sbatch --wrap true -L fluent:1
try as_user alice sbatch --wrap true -L ans@flex:3
try as_user alice sbatch --wrap true -L ans@nosuch:1
submit_as alice -o /dev/null -L ans@flex:2 --wrap "sleep 60"
A=$J
wait_state $A RUNNING
submit_as alice -o /dev/null -L ans@flex:1 --wrap "sleep 60"
B=$J
wait_reason $B Licenses
squeue -h -j $A,$B -S i -o "%T %r %W"
try scontrol show lic ans@flex
m modify resource name=ans server=flex cluster=ref set percentallowed=100
wait_state $B RUNNING
try scontrol show lic ans@flex
scancel $A $B
wait_done $A $B
m delete resource name=ans server=flex cluster=ref
m show resource name=ans
try scontrol show lic ans@flex
m delete resource nosuch
m delete resource where server=c
m delete resource
m delete resource where name=fluent
m delete resource where name=ans,a,bb,y
m show resource withclusters
