<?php

declare(strict_types=1);

namespace Proletarier\Command;

/**
 * How an event that waits is shown.
 */
final class WaitingEvent
{
    public const HEADINGS = ['triggered', 'id', 'event', 'state', 'attempt', 'due', 'listener'];

    /**
     * @param array<string, mixed> $event as the daemon answers it
     *
     * @return list<string>
     */
    public static function row(array $event): array
    {
        return [
            Screen::time($event['triggered_at']),
            $event['id'],
            $event['name'],
            $event['state'],
            (string) $event['attempt'],
            $event['state'] === 'delayed' ? Screen::time($event['due']) : '',
            self::listeners($event),
        ];
    }

    /**
     * @param array<string, mixed> $event
     */
    public static function show(array $event, Screen $screen): void
    {
        $screen->heading(Screen::line("{$event['name']}, {$event['state']}"));
        Fields::show($screen, [
            'event' => $event['name'],
            'id' => $event['id'],
            'state' => $event['state'],
            'listener' => self::listeners($event),
            'attempt' => (string) $event['attempt'],
            'triggered' => Screen::time($event['triggered_at'], 'Y-m-d H:i:s T'),
            'due' => Screen::time($event['due'] ?? null, 'Y-m-d H:i:s T'),
            'expires' => Screen::time($event['expires'] ?? null, 'Y-m-d H:i:s T'),
        ]);
        Fields::params($screen, $event);
    }

    /**
     * @param array<string, mixed> $event
     */
    private static function listeners(array $event): string
    {
        return ($event['listeners'] ?? null) === null ? '(all)' : implode(', ', $event['listeners']);
    }
}
