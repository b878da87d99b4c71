<?php

declare(strict_types=1);

namespace Proletarier\Tests;

/**
 * A spool file as bytes, whose events can be made older: docs/protocol.md has the format.
 */
final class SpoolFile
{
    private const MAGIC = "\xff\x50\xfe\x01";

    /** @param list<string> $bodies session, number, time of spooling, record */
    private function __construct(private array $bodies)
    {
    }

    public static function read(string $path): self
    {
        [$bytes, $bodies] = [substr((string) file_get_contents($path), 16), []];
        while ($bytes !== '') {
            $length = unpack('V', $bytes, 4)[1];
            $bodies[] = substr($bytes, 12, $length);
            $bytes = substr($bytes, 12 + $length);
        }

        return new self($bodies);
    }

    /** A file with one event, of a session that nobody knows. */
    public static function of(string $id, string $name): self
    {
        $now = (int) (microtime(true) * 1e6);
        $record = "\x01" . chr(strlen($id)) . $id . chr(strlen($name)) . $name . pack('P', $now) . "\0" . pack('V', 2) . "{}\0";

        return new self([random_bytes(16) . pack('PP', 1, $now) . $record]);
    }

    /** The same events, spooled and triggered so many seconds earlier. */
    public function earlier(int $seconds): self
    {
        $earlier = static fn (string $bytes, int $at): string => substr_replace($bytes, pack('P', unpack('P', $bytes, $at)[1] - $seconds * 1_000_000), $at, 8);

        return new self(array_map(static function (string $body) use ($earlier): string {
            $id = 32 + 1;
            $name = $id + 1 + ord($body[$id]);

            return $earlier($earlier($body, 24), $name + 1 + ord($body[$name]));
        }, $this->bodies));
    }

    /** Puts it where it is drained, whole from the first moment. */
    public function put(string $directory): void
    {
        $header = 'PRLSPOOL' . pack('V', 1);
        $bytes = $header . pack('V', crc32($header));
        foreach ($this->bodies as $body) {
            $length = pack('V', strlen($body));
            $bytes .= self::MAGIC . $length . pack('V', crc32($length . $body)) . $body;
        }
        file_put_contents("$directory/new", $bytes);
        rename("$directory/new", "$directory/events.spool");
    }
}
