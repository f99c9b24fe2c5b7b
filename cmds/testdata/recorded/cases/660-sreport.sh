# topic: sreport
# as: root
# limit: 30
# Reports' forms, headers and errors.
. "$CT_LIB"
h() { echo "== $*"; sreport "$@" 2>&1 | sed 's/20[0-9][0-9]-[0-9-]*T[0-9:]*/TIME/g; s/([0-9]* secs*)/(N secs)/; s/\.\.\.//' | head -6; }
h cluster utilization start=2020-01-01 end=2020-01-02
h -n cluster utilization start=2020-01-01 end=2020-01-02
h -P cluster utilization start=2020-01-01 end=2020-01-02 
h cluster AccountUtilizationByUser start=2020-01-01 end=2020-01-02
h cluster UserUtilizationByAccount start=2020-01-01 end=2020-01-02 -t hours
h -t percent cluster utilization start=2020-01-01 end=2020-01-02
h -t hourper cluster utilization start=2020-01-01 end=2020-01-02
h user top start=2020-01-01 end=2020-01-02
h job SizesByAccount start=2020-01-01 end=2020-01-02
h job sizesbyaccount grouping=10,20 printjobcount start=2020-01-01 end=2020-01-02
h reservation utilization start=2020-01-01 end=2020-01-02
h -T cpu,mem cluster utilization start=2020-01-01 end=2020-01-02
h cluster AccountUtilizationByUser tree start=2020-01-01 end=2020-01-02 format=Accounts%-20,Login,Used
h -p -n user top format=Login,Used start=2020-01-01 end=2020-01-02
