<?php

declare(strict_types=1);

namespace Proletarier\Testing;

use Proletarier\Confirm;
use Proletarier\Exception\InvalidArgument;
use Proletarier\Nearest;

/**
 * Checks the name and the options of trigger(), as the extension's client does, with the same messages.
 */
final class EventCheck
{
    private const MAX_NAME = 255;

    private const OPTIONS = [
        'confirm', 'delay', 'at', 'expires', 'queue', 'priority', 'key', 'unique', 'unique_for', 'id', 'headers', 'spool',
    ];

    private const MAX_HEADERS = 32;
    private const MAX_HEADER_NAME = 64;
    private const MAX_HEADER_VALUE = 1024;

    /**
     * @throws InvalidArgument
     */
    public static function name(mixed $name): string
    {
        $limit = sprintf('1 to %d bytes of UTF-8 are allowed', self::MAX_NAME);
        $error = match (true) {
            !is_string($name) => sprintf("an event's name is %s: %s", Shown::value($name), $limit),
            $name === '' => sprintf("an event's name is empty: %s", $limit),
            $name === '0', $name === '*' => sprintf(
                "an event can't be named '%s', which an EventManager treats specially ('', '0' and '*' are reserved)",
                $name
            ),
            strlen($name) > self::MAX_NAME => sprintf("an event's name has %d bytes: %s", strlen($name), $limit),
            preg_match('//u', $name) !== 1 => sprintf("an event's name is not valid UTF-8 at byte %d: %s", self::validUpTo($name), $limit),
            default => null,
        };

        return $error === null ? $name : throw new InvalidArgument($error);
    }

    private static function validUpTo(string $text): int
    {
        $length = strlen($text);
        while (preg_match('//u', substr($text, 0, $length)) !== 1) {
            $length--;
        }

        return $length;
    }

    /**
     * The name and the params of what trigger() got as event and params.
     *
     * @return array{string, array<array-key, mixed>}
     *
     * @throws InvalidArgument
     */
    public static function event(mixed $event, mixed $params): array
    {
        if (!is_array($params)) {
            throw new InvalidArgument(sprintf(
                'params is %s: an event for another process has no target, give the params as 2nd argument and the options as 3rd',
                Shown::value($params)
            ));
        }
        if (!is_object($event)) {
            return [self::name($event), $params];
        }
        if (!is_callable([$event, 'getName']) || !is_callable([$event, 'getParams'])) {
            throw new InvalidArgument(sprintf(
                'event is %s, which has no getName() and getParams(): give a name or an event',
                $event::class
            ));
        }
        $own = $event->getParams();
        if (is_object($own)) {
            $own = $own instanceof \Traversable ? iterator_to_array($own) : get_object_vars($own);
        }

        return [self::name($event->getName()), array_replace((array) $own, $params)];
    }

    /**
     * @return array<string, mixed> the options that are given: null means not given
     *
     * @throws InvalidArgument
     */
    public static function options(mixed $options): array
    {
        if (!is_array($options)) {
            throw new InvalidArgument(sprintf('options is %s: give a map', Shown::value($options)));
        }
        foreach ($options as $name => $value) {
            if (!in_array($name, self::OPTIONS, true)) {
                $nearest = Nearest::of((string) $name, self::OPTIONS);
                throw new InvalidArgument(sprintf(
                    "options['%s']: unknown option%s Allowed: %s",
                    $name,
                    $nearest === null ? '.' : "; did you mean $nearest?",
                    implode(', ', self::OPTIONS)
                ));
            }
            if ($value !== null) {
                self::option($name, $value);
            }
        }
        $options = array_filter($options, static fn ($value) => $value !== null);
        if (isset($options['delay'], $options['at'])) {
            throw new InvalidArgument("options['at']: give either delay or at");
        }
        if (isset($options['unique_for']) && !isset($options['unique'])) {
            throw new InvalidArgument(
                "options['unique_for']: it tells how long options['unique'] is held: give that too"
            );
        }

        if (isset($options['key']) && ($options['priority'] ?? 'normal') !== 'normal') {
            throw new InvalidArgument(
                "options['priority']: events of one key run in the order in which they come: give either key or priority"
            );
        }

        return $options;
    }

    private static function option(string $name, mixed $value): void
    {
        $allowed = match ($name) {
            'confirm' => self::isConfirm($value) ? null : "'none', 'deferred', 'accepted', 'synced' or a Proletarier\Confirm",
            'delay' => self::isSeconds($value) && $value >= 0 ? null : 'seconds, 0 or more',
            'at' => $value instanceof \DateTimeInterface ? null : 'a DateTimeInterface',
            'expires' => $value instanceof \DateTimeInterface || self::isSeconds($value) && $value > 0
                ? null
                : 'seconds, more than 0, or a DateTimeInterface',
            'unique_for' => self::isSeconds($value) && $value > 0 ? null : 'seconds, more than 0',
            'queue' => self::text($value, 64),
            'priority' => in_array($value, ['high', 'normal', 'low'], true) ? null : "'high', 'normal' or 'low'",
            'key', 'unique' => self::text($value, 255),
            'id' => is_string($value) && preg_match('/^[A-Za-z0-9._:-]{1,64}$/D', $value) === 1
                ? null
                : 'a string of 1 to 64 bytes of A-Z, a-z, 0-9, ".", "_", ":" and "-"',
            'headers' => is_array($value) ? null : 'a map of strings',
            'spool' => is_bool($value) ? null : 'true or false',
        };
        if ($allowed !== null) {
            throw self::refused("options['$name']", $value, $allowed);
        }
        if ($name === 'headers') {
            self::headers($value);
        }
    }

    private static function isConfirm(mixed $value): bool
    {
        return $value instanceof Confirm || is_string($value) && Confirm::tryFrom($value) !== null;
    }

    private static function isSeconds(mixed $value): bool
    {
        return is_int($value) || is_float($value) && is_finite($value);
    }

    private static function text(mixed $value, int $most): ?string
    {
        return is_string($value) && $value !== '' && strlen($value) <= $most ? null : "a string of 1 to $most bytes";
    }

    private static function headers(array $headers): void
    {
        if (count($headers) > self::MAX_HEADERS) {
            throw new InvalidArgument(
                sprintf("options['headers'] has %d entries: at most %d are allowed", count($headers), self::MAX_HEADERS)
            );
        }
        foreach ($headers as $name => $value) {
            $allowed = self::text($name, self::MAX_HEADER_NAME);
            if ($allowed !== null) {
                throw self::refused("a name in options['headers']", $name, $allowed);
            }
            if (!is_string($value) || strlen($value) > self::MAX_HEADER_VALUE) {
                $allowed = sprintf('a string of at most %d bytes', self::MAX_HEADER_VALUE);
                throw self::refused("options['headers']['$name']", $value, $allowed);
            }
        }
    }

    private static function refused(string $what, mixed $value, string $allowed): InvalidArgument
    {
        return new InvalidArgument(sprintf('%s: %s is not allowed: give %s', $what, Shown::value($value), $allowed));
    }
}
