<?php

declare(strict_types=1);

namespace Proletarier\Tests;

/**
 * One request to php-fpm: as much of FastCGI 1.0 as that takes.
 */
final class FastCgi
{
    private const BEGIN = 1;
    private const END = 3;
    private const PARAMS = 4;
    private const STDIN = 5;
    private const STDOUT = 6;

    /** The answer's body, or null where none came: the server was just starting anew. */
    public static function get(string $socket, string $script, float $timeout = 20.0): ?string
    {
        $connection = @stream_socket_client("unix://$socket", $code, $message, $timeout);
        if ($connection === false) {
            return null;
        }
        stream_set_timeout($connection, (int) $timeout);
        $params = '';
        $given = ['SCRIPT_FILENAME' => $script, 'REQUEST_METHOD' => 'GET', 'SCRIPT_NAME' => '/', 'QUERY_STRING' => ''];
        foreach ($given as $name => $value) {
            $params .= chr(strlen($name)) . pack('N', strlen($value) | 0x80000000) . $name . $value;
        }
        @fwrite($connection, self::record(self::BEGIN, pack('nCx5', 1, 0)) . self::record(self::PARAMS, $params)
            . self::record(self::PARAMS, '') . self::record(self::STDIN, ''));
        $answer = '';
        while (strlen($head = (string) stream_get_contents($connection, 8)) === 8) {
            ['type' => $type, 'length' => $length, 'padding' => $padding] = unpack('Cversion/Ctype/nid/nlength/Cpadding', $head);
            $body = $length + $padding > 0 ? (string) stream_get_contents($connection, $length + $padding) : '';
            if ($type === self::STDOUT) {
                $answer .= substr($body, 0, $length);
            }
            if ($type === self::END) {
                return explode("\r\n\r\n", $answer, 2)[1] ?? null;
            }
        }

        return null;
    }

    private static function record(int $type, string $content): string
    {
        return pack('CCnnCx', 1, $type, 1, strlen($content), 0) . $content;
    }
}
