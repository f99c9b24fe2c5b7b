# topic: priority
# limit: 60
# sprio: every letter, sorting, long, norm, weights, filters, errors.
. "$CT_LIB"
submit --exclusive -N 4 --wrap 'sleep 50'; wait_state $J RUNNING; X=$J
submit -J a -t 5 --wrap true; A=$J; submit -J b -t 5 --qos=tiny --nice=10 --wrap true; B=$J; submit -J c -p short -n 2 -A chem --wrap true; C=$J; submit -J d -t 5 --array=1-3 -N 2 -n 2 --wrap true; D=$J
wait_reason $D Priority,Resources; sleep 1.5
ids=$A,$B,$C,$D
sprio -j $ids | normalise
sprio -l -j $ids | normalise
sprio -n -j $ids -o "%i %q %p %j %f" | normalise | head -1
sprio -n -h -j $ids -o '%i %q %p %f' | normalise
sprio -h -j $ids -S -i -o '%i %Q' | normalise
sprio -h -j $ids -S Q,i -o '%i %Q %r' | normalise
sprio -h -j $ids -S -p,i -o '%i %P %r' | normalise
sprio -h -u alice -p short -o '%i %u %r' | normalise
sprio -h -p debug -o '%i %r' | normalise | sort
sprio -h -u bob -o '%i'
try sprio -h -u nosuch
try sprio -h -p nosuch -o '%i'
sprio -w
sprio -w -l
sprio -w -o '%Q %J'
sprio -h -j 650000
try sprio -j x
try sprio -o '' -j $A
SPRIO_FORMAT='%i %Q' sprio -j $A | normalise
sprio -h -j $A -o '%Y' 
