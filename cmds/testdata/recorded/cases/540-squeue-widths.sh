# topic: squeue
# Widths, justification, text before, between and after, and what is no format.
. "$CT_LIB"
submit -H -J longer-name -n 3 -t 40 --wrap true; P=$J
for f in '%.3j|' '%3j|' '%.20j|' '%20j|' '%0j|' '%.0j|' 'x%j' 'x%jy' '%j %%' '%j%' '%%j' 'plain' '' '%' '%.j' '%.3' '%5' 'a b %j c %u d' '%j\n%u' '%j\t%u' '%-5j|' '%5.5j|' '%..5j' '%j,%u' '%.10j%.3u%t' '%10u|%.10u|%t'; do
	echo "[$f]"; try squeue -j $P -o "$f"
done
SQUEUE_FORMAT='%j %T' squeue -j $P
SQUEUE_FORMAT='%j %T' squeue -h -j $P -o '%u'
SQUEUE_FORMAT2='name:8,state' squeue -j $P
try squeue -j $P -o '%j' -O name
try squeue -j $P -O name -o '%j'
try squeue -l -j $P -o '%j'
try squeue -j $P -o
try squeue -j $P --format
try squeue -j $P -O
