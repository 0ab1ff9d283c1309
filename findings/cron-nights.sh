#!/bin/bash
# croniter 7.0.0 and APScheduler 3.11.3 run a fixed time twice in an autumn night, and cronsim 2.8 loses a run
# where clocks move by half an hour.
#
# A good memory says: libraries that know zones plan `0 3 * * *` once a day. Here: both plan both three o'clocks
# of 25 October in Riga, and croniter steps of hours at the end of a gap (`0 */2` in New York at 03:00). cronsim
# does what vixie-cron does, but `30 * * * *` on Lord Howe has no run at the second half past one.
#
# A trap beside the way: `moment + timedelta` of Python forgets which of the two three o'clocks it was (`fold`),
# so a loop that goes on from there plans the same moment again and again. Go on from the timestamp.
#
# Needs: python3 with venv. Prints what was found, and `AS FOUND` if it is still so.
set -euo pipefail
DIR=$(mktemp -d); trap 'rm -rf "$DIR"' EXIT
python3 -m venv "$DIR/venv"
"$DIR/venv/bin/pip" install -q croniter==7.0.0 cronsim==2.8 APScheduler==3.11.3 tzdata 2>/dev/null
cat > "$DIR/nights.py" <<'PY'
import datetime as dt
import zoneinfo
zoneinfo.reset_tzpath([])
from zoneinfo import ZoneInfo
from apscheduler.triggers.cron import CronTrigger
from croniter import croniter
from cronsim import CronSim

def told(times):
    return ", ".join(it.strftime("%d %H:%M%z") for it in times)

def by_croniter(cron, at, many):
    each = croniter(cron, at)
    return told(each.get_next(dt.datetime) for _ in range(many))

def by_cronsim(cron, at, many):
    each = CronSim(cron, at)
    return told(next(each) for _ in range(many))

def by_apscheduler(cron, at, many):
    trigger, times = CronTrigger.from_crontab(cron, timezone=at.tzinfo), []
    for _ in range(many):
        found = trigger.get_next_fire_time(times[-1] if times else None, at)
        times.append(found)
        at = dt.datetime.fromtimestamp(found.timestamp() + 0.001, at.tzinfo)
    return told(times)

riga = dt.datetime(2026, 10, 24, 12, tzinfo=ZoneInfo("Europe/Riga"))
york = dt.datetime(2026, 3, 8, 1, tzinfo=ZoneInfo("America/New_York"))
howe = dt.datetime(2026, 4, 5, 0, 45, tzinfo=ZoneInfo("Australia/Lord_Howe"))
for by in (by_croniter, by_cronsim, by_apscheduler):
    print(by.__name__[3:], "0 3 * * *:", by("0 3 * * *", riga, 3))
print("croniter 0 */2 * * *:", by_croniter("0 */2 * * *", york, 2))
print("cronsim 30 * * * *:", by_cronsim("30 * * * *", howe, 3))
PY
FOUND=$("$DIR/venv/bin/python" "$DIR/nights.py")
echo "$FOUND"
WANTED='croniter 0 3 * * *: 25 03:00+0300, 25 03:00+0200, 26 03:00+0200
cronsim 0 3 * * *: 25 03:00+0300, 26 03:00+0200, 27 03:00+0200
apscheduler 0 3 * * *: 25 03:00+0300, 25 03:00+0200, 26 03:00+0200
croniter 0 */2 * * *: 08 03:00-0400, 08 04:00-0400
cronsim 30 * * * *: 05 01:30+1100, 05 02:30+1030, 05 03:30+1030'
[ "$FOUND" = "$WANTED" ] && echo "AS FOUND" || { echo "OTHERWISE: it was"; echo "$WANTED"; exit 1; }
