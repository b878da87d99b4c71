<?php

declare(strict_types=1);

namespace Proletarier\Tests\Soak;

/**
 * The events of a run, and the listeners that each has.
 */
final class Events
{
    /** By name, in the order in which they run; 'sure' always succeeds. */
    public const LISTENERS = [
        'soak.plain' => ['sure', 'moody'],
        'soak.rough' => ['sure', 'mortal', 'moody'],
        'soak.final' => ['stubborn', 'sure', 'later'],
        'soak.chain' => ['sure', 'chain'],
    ];

    /** Listeners that are deliveries of their own from the start. */
    public const PARALLEL = ['later', 'mortal'];

    /** The queues, as they are configured; what is in none of them is in the default one. */
    public const QUEUES = [
        'plain' => ['events' => 'soak.plain', 'weight' => 3],
        'rough' => ['events' => ['soak.rough'], 'concurrency' => 2],
    ];

    /** The queue of an event. */
    public static function queue(string $event): string
    {
        foreach (self::QUEUES as $queue => $settings) {
            if (in_array($event, (array) $settings['events'], true)) {
                return $queue;
            }
        }

        return 'default';
    }

    /** What the listener 'chain' triggers. */
    public const LINK = 'soak.plain';
    /** What stands for a producer's number in the names of these. */
    public const HANDLERS = 'h';

    /** The identity of an event's listener. */
    public static function identity(string $event, string $listener): string
    {
        return "$event/$listener";
    }

    /** Draws a name. */
    public static function name(Dice $dice): string
    {
        $draw = $dice->next();

        return match (true) {
            $draw < 0.55 => 'soak.plain',
            $draw < 0.8 => 'soak.rough',
            $draw < 0.95 => 'soak.final',
            default => 'soak.chain',
        };
    }
}
