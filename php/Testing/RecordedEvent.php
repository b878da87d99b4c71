<?php

declare(strict_types=1);

namespace Proletarier\Testing;

/**
 * An event that a test double took.
 */
final class RecordedEvent
{
    /**
     * @param array<array-key, mixed> $params as a listener would get them, after their way through JSON
     * @param string $json the params as they would be sent
     * @param array<string, mixed> $options those that were given
     */
    private function __construct(
        public readonly string $id,
        public readonly string $name,
        public readonly array $params,
        public readonly string $json,
        public readonly array $options
    ) {
    }

    /**
     * Checks the arguments of trigger() as the extension's client does.
     *
     * @throws \Proletarier\Exception\InvalidArgument
     * @throws \Proletarier\Exception\Unencodable
     * @throws \Proletarier\Exception\MessageTooLarge
     */
    public static function of(mixed $event, mixed $params, mixed $options, int $maxSize): self
    {
        [$name, $params] = EventCheck::event($event, $params);
        $options = EventCheck::options($options);
        $json = ParamsCheck::encode($params, $maxSize);

        return new self($options['id'] ?? self::uuid(), $name, json_decode($json, true), $json, $options);
    }

    /**
     * A UUIDv7: 48 bits of milliseconds, then random ones.
     */
    private static function uuid(): string
    {
        $bytes = substr(pack('J', (int) (microtime(true) * 1000)), 2) . random_bytes(10);
        $bytes[6] = chr(0x70 | ord($bytes[6]) & 0x0F);
        $bytes[8] = chr(0x80 | ord($bytes[8]) & 0x3F);

        return vsprintf('%s%s-%s-%s-%s-%s%s%s', str_split(bin2hex($bytes), 4));
    }
}
