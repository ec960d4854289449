# Holds a PostgreSQL for a test program and ends it when that program ends, also by kill -9: then the pipe closes.
# watcher <folder of binaries> <folder of data> <port> <options>
bin=$1 folder=$2 port=$3 options=$4
export LC_ALL=C

# An answer that nobody reads any more, or a signal, must not end the watcher before the server.
trap : PIPE HUP INT TERM

server() {
    "$bin/pg_ctl" "$@" -D "$folder/data" -s -w -t 60 </dev/null >>"$folder/log" 2>&1
}

start() {
    server start -o "-p $port -h 127.0.0.1 -k '' -c max_connections=200 $options"
}

"$bin/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --locale=C --no-sync --no-instructions \
    </dev/null >>"$folder/log" 2>&1

while read -r order; do
    case $order in
        start) start ;;
        stop) server stop -m fast ;;
        kill) server stop -m immediate ;;
    esac
    echo $?
done

server stop -m immediate
rm -rf "$folder"
