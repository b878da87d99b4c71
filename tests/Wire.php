<?php

declare(strict_types=1);

namespace Proletarier\Tests;

/**
 * Frames of docs/protocol.md, made by hand: what the daemon's sockets are tried with.
 */
final class Wire
{
    /** A batch of one event, which wants a confirmation. */
    public static function publish(string $name, array $params, string $session, int $number): string
    {
        $json = json_encode($params);
        $id = bin2hex(random_bytes(16));
        $record = "\x01" . chr(strlen($id)) . $id . chr(strlen($name)) . $name . pack('P', (int) (microtime(true) * 1e6))
            . "\x03\x03\x00abc" . "\x00" . pack('V', strlen($json)) . $json . "\0";

        return "P\x01\x01\x01" . $session . pack('PV', $number, 1) . pack('V', strlen($record)) . $record;
    }

    /** A worker's report that it has finished a chunk, with a failure. */
    public static function report(int $chunk, int $finished): string
    {
        $failure = ['delivery' => 0, 'listener' => 0, 'failure' => ['kind' => 'thrown', 'class' => 'E', 'message' => 'm', 'file' => 'f',
            'line' => 1, 'trace' => '', 'retry_after' => null]];

        return "P\x01\x12\x01" . pack('VvV', $chunk, $finished, 1000) . json_encode([$failure]);
    }

    /** A worker's introduction. */
    public static function ready(int $slot, int $pid): string
    {
        $hello = json_encode(['slot' => $slot, 'incarnation' => 1, 'generation' => 1, 'pid' => $pid, 'listeners' => [['id' => 'x', 'event' => 'one']]]);

        return "P\x01\x11\x00" . pack('V', strlen($hello)) . $hello;
    }

    /** The same with one to eight changes: bytes changed, cut out, doubled, or the rest cut off. */
    public static function mutate(string $frame): string
    {
        for ($changes = mt_rand(1, 8); $changes > 0 && $frame !== ''; $changes--) {
            $at = mt_rand(0, strlen($frame) - 1);
            $frame = match (mt_rand(0, 4)) {
                0 => substr_replace($frame, chr(mt_rand(0, 255)), $at, 1),
                1 => substr_replace($frame, '', $at, mt_rand(1, 8)),
                2 => substr_replace($frame, substr($frame, $at, mt_rand(1, 16)), $at, 0),
                3 => substr($frame, 0, $at),
                4 => substr_replace($frame, "\xff\xff\xff\xff", $at, 4),
            };
        }

        return $frame;
    }
}
