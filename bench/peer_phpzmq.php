<?php

/** The original's design: php-zmq PUSH, a ZMQDevice between, PULL in two workers. `device`, `worker`, `send`, as in peer_proletarier.php. */

declare(strict_types=1);

namespace Bench;

require __DIR__ . '/counter.php';
require __DIR__ . '/events.php';

[, $role, $directory] = $argv;
$context = new \ZMQContext();
$socket = static function (int $kind) use ($context): \ZMQSocket {
    $socket = new \ZMQSocket($context, $kind);
    $socket->setSockOpt(\ZMQ::SOCKOPT_SNDHWM, 0);
    $socket->setSockOpt(\ZMQ::SOCKOPT_RCVHWM, 0);

    return $socket;
};
if ($role === 'device') {
    $front = $socket(\ZMQ::SOCKET_PULL)->bind("ipc://$directory/front");
    $back = $socket(\ZMQ::SOCKET_PUSH)->bind("ipc://$directory/back");
    (new \ZMQDevice($front, $back))->run();
}
if ($role === 'worker') {
    $counter = new Counter((int) $argv[3]);
    $pull = $socket(\ZMQ::SOCKET_PULL)->connect("ipc://$directory/back");
    $handle = static function (array $event) use ($counter): void {
        $counter->add();
    };
    while (true) {
        $handle(json_decode($pull->recv(), true));
    }
}
[, , , $count, $pause] = $argv;
$push = $socket(\ZMQ::SOCKET_PUSH)->connect("ipc://$directory/front");
$push->send(json_encode(['name' => 'order.placed', 'params' => params(0)]));
usleep(50_000);
$began = hrtime(true);
$times = timed((int) $count, (int) $pause, static function (array $params) use ($push): void {
    $push->send(json_encode(['name' => 'order.placed', 'params' => $params]));
});
echo json_encode(['began' => $began, 'p50' => percentile($times, 0.5), 'p99' => percentile($times, 0.99)]), "\n";
