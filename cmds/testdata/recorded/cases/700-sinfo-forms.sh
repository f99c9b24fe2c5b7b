# topic: sinfo
# as: root
# Every letter and field of sinfo, sorts, groupings where nodes differ.
. "$CT_LIB"
cleanup() { scontrol update nodename='n[1-4]' state=resume; scontrol update nodename=n2 weight=1; scontrol update nodename='n[1-4]' comment= extra= ; }
n() { normalise; }
sinfo -o '%all' | head -1 | sed 's/RESERVATION|//'; sinfo -h -o '%all' -p single | wc -l; sinfo -O all -p short | head -1 | cut -d'|' -f1-8; sinfo -o '%ALL' -p short | wc -l; sinfo -o '%all ' -h -p short
for l in a A b B c C d D E f F g G h H I l L m M N o p P r R s S t T u U w W X Y z Z; do echo "%$l: $(sinfo -h -o "[%$l]" 2>&1 | sort | paste -sd' ' | n)"; done
for l in a c D f G l m N P R t T w X Y z; do sinfo -o "%8$l|%.8$l|%.3$l|%3$l|" -p debug | n; done
for f in allocmem allocnodes available cluster comment cores cpus cpusstate defaulttime disk extra features features_act gres groups maxcpuspernode memory nodes nodeai nodeaiot nodelist oversubscribe partition partitionname preemptmode prioritytier priorityjobfactor reason root size sockets statecompact statelong statecomplete threads time timestamp user userlong weight share socketcorethread nosuch; do echo "$f: $(sinfo -O "$f:12" 2>&1 | n | paste -sd'|')"; done
for f in 'partition:4,nodelist:.12,statecompact:3' 'partition: 4' 'partition:+4' 'partition:4 ' 'partition:.4x' 'partition:4.' 'partition:.' 'partition:.x' 'partition:0' 'partition:0x10' 'partition:04' 'partition:' 'partition:4:5' ',partition' 'partition:4#,nodes' 'partition:x' '' 'partition,,nodes'; do echo "-O $f"; sinfo -p debug -O "$f" 2>&1; done
sinfo -o ''; sinfo -o '%' ; sinfo -o '%5'; sinfo -o 'x%%y %P' ; sinfo -h -o '%.P' -p debug; sinfo -h -o '%10q' -p debug
sinfo -l | sed 1d; sinfo -s; sinfo -l -s | sed 1d; sinfo -e; sinfo -e -h; sinfo -N -h | sort
sinfo -o '%P %c' ; sinfo -h -o '%D %f' ; sinfo -h -o '%D %G'; sinfo -h -o '%N %G' -p debug; sinfo -h -o '%N %f'; sinfo -h -o '%D %c' ; sinfo -e -h -o '%D %N'; sinfo -e -h -o '%D %N %f'; sinfo -h -o '%t %N' ; sinfo -h -o '%N'; sinfo -h -o '%R'; sinfo -h -o '%P'; sinfo -h -o '%a' ; sinfo -h -o '%D'
for s in P -P N -N t -t T D -D c f G l -l m w z a d h g p r R S X Y -n I F A L M s 'P,-N' '#P' '+P' '#N' '-t,N' q '' ; do echo "-S $s"; sinfo -h -S "$s" -o '%R %t %N %w' 2>&1; done
scontrol update nodename=n2 weight=5; for s in -w P,w; do echo "-S $s"; sinfo -h -N -S "$s" -o '%R %N %w' 2>&1; done; sinfo -h -o '%N %w' -p debug; sinfo -h -o '%N %t' -p debug; sinfo -l -p debug | sed 1d; scontrol update nodename=n2 weight=1
scontrol update nodename=n1 comment='one two' extra=x1; sinfo -h -N -p short -O 'comment:12,extra:5,nodelist:4'; sinfo -h -p debug -O 'comment:12,nodelist'
