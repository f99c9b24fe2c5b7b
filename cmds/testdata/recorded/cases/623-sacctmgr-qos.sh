# topic: sacctmgr
# as: root
# QOS: every setting, changed, cleared, listed; wrong ones.
. "$CT_LIB"
cleanup() { sacctmgr -i delete qos qa,qb,qc; }
try sacctmgr -i add qos qa
try sacctmgr -i add qos qa
try sacctmgr -i add qos name=qb priority=7 description="the second" gracetime=30 preempt=qa usagefactor=0.5 usagethreshold=0.2 flags=NoReserve,PartitionTimeLimit,OverPartQOS
try sacctmgr -i add qos qc grptres=cpu=10,node=2,gres/gpu=1 grptresmins=cpu=100 grptresrunmins=cpu=50 grpjobs=4 grpsubmit=8 grpwall=100 maxtresperjob=cpu=4 maxtrespernode=cpu=2 maxtresperuser=cpu=6 maxtresperaccount=cpu=8 maxtresmins=cpu=60 maxjobsperuser=2 maxjobsperaccount=3 maxsubmitjobsperuser=4 maxsubmitjobsperaccount=5 maxwall=2-0 mintres=cpu=1 limitfactor=2
try sacctmgr -i add qos
try sacctmgr -i add qos qd nosuch=1
try sacctmgr -i add qos qd preempt=nosuch
try sacctmgr -i add qos qd preemptmode=nosuch
try sacctmgr -i add qos qd maxwall=x
try sacctmgr -i add qos qd grptres=nosuch=1
try sacctmgr -i add qos qd grptres=cpu
sacctmgr show qos qa
sacctmgr -P show qos qb
sacctmgr -P show qos qc
sacctmgr -P show qos qb,qc format=name,desc,id,priority%5,usagefactor,usagethres,limitfactor,grace,flags%30 | sed 's/|[0-9][0-9]*|/|ID|/'
sacctmgr -n -P show qos where preemptmode=cancel format=name
sacctmgr show qos qc format=name,grptres%20,maxtrespu,maxtrespa,maxjobspa,maxsubmitpa,mintres,maxtrespernode
try sacctmgr -i modify qos qb set flags+=DenyOnLimit
sacctmgr -n -P show qos qb format=flags
try sacctmgr -i modify qos qb set flags-=NoReserve
sacctmgr -n -P show qos qb format=flags
try sacctmgr -i modify qos qb set flags=-1
sacctmgr -n -P show qos qb format=flags
try sacctmgr -i modify qos qb set preempt+=qc
sacctmgr -n -P show qos qb format=preempt
try sacctmgr -i modify qos qb set preempt-=qa
try sacctmgr -i modify qos qb set preempt=
sacctmgr -n -P show qos qb format=preempt
try sacctmgr -i modify qos qb set preemptmode=suspend
try sacctmgr -i modify qos qb set preemptmode=cluster
try sacctmgr -i modify qos qc set grptres=cpu=-1 maxwall=-1 grpjobs=-1
sacctmgr -n -P show qos qc format=grptres,maxwall,grpjobs
try sacctmgr -i modify qos qc set grptres=cpu=3,mem=5G
sacctmgr -n -P show qos qc format=grptres
try sacctmgr -i modify qos qc set rawusage=0
try sacctmgr -i modify qos qc set rawusage=5
try sacctmgr -i modify qos set priority=1 where name=qa
sacctmgr -n -P show qos qa format=name,priority
try sacctmgr -i modify qos qa
try sacctmgr -i modify qos qa set
try sacctmgr -i modify qos qa set nosuch=3
try sacctmgr -i delete qos qb
try sacctmgr -i delete qos where name=qa,qc
try sacctmgr -i delete qos
try sacctmgr -i delete qos nosuch
try sacctmgr show qos nosuch
