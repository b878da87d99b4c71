<?php

/**
 * Stands for public/index.php of an MVC application: what its Application does around `route` and `finish`, in the order and with the
 * priorities that laminas-mvc and zend-mvc have. The argument --framework=Zend or Laminas, taken away before, says whose names exist.
 */

declare(strict_types=1);

require __DIR__ . '/../bootstrap.php';

$framework = substr(array_pop($_SERVER['argv']), strlen('--framework='));

final class Response
{
    private array $metadata = [];

    public function setMetadata($name, $value)
    {
        $this->metadata[$name] = $value;
    }
}
class_alias(Response::class, "$framework\\Stdlib\\Response");

final class Application
{
    private array $listeners = [];

    public function getApplication()
    {
        return $this;
    }

    public function getEventManager()
    {
        return $this;
    }

    public function getServiceManager()
    {
        $daemon = new class () {
            public function run(?int $workers): int
            {
                echo "run with $workers workers\n";

                return 3;
            }
        };

        return new Proletarier\Tests\Fixture\Services(['Proletarier\Daemon' => $daemon]);
    }

    public function attach($name, $listener, $priority)
    {
        $this->listeners[$name][$priority] = $listener;
        krsort($this->listeners[$name]);
    }

    public function run(): void
    {
        foreach ($this->listeners['route'] as $listener) {
            if ($listener($this) instanceof Response) {
                break;
            }
        }
        foreach ($this->listeners['finish'] as $listener) {
            $listener($this);
        }
    }
}

$application = new Application();
$application->attach('route', static fn () => null, 1);
$application->attach('finish', static fn () => print "the home page\n", -10000);
(new Proletarier\Module())->onBootstrap($application);
if (($_SERVER['argv'][1] ?? null) === 'proletarier') {
    // No sender prints a plain response.
    $application->attach('finish', static fn () => null, -10000);
}
$application->run();
